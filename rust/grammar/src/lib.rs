//! llguidance behind a few C functions; src/grammar/grammar_library.h is their other side and says what they promise.
//! Nothing here panics across the border: every function that can fail catches what the crate throws and writes a sentence.

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::toktrie::{InferenceCapabilities, TokEnv, TokRxInfo, TokTrie, TokenizerEnv};
use llguidance::{panic_utils, Matcher, ParserFactory};
use serde_json::{json, Value};
use std::ffi::c_void;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

mod dead_ends;
mod held_bytes;
mod rules;

/// Appends at most `capacity` ids of the text to `ids`; returns how many there are.
type Tokenize = extern "C" fn(user: *const c_void, text: *const u8, bytes: usize, ids: *mut u32, capacity: usize) -> usize;

struct Environment {
    trie: TokTrie,
    tokenize: Tokenize,
    user: *const c_void,
}

// The tokenizer behind `user` is immutable and outlives this.
unsafe impl Send for Environment {}
unsafe impl Sync for Environment {}

impl TokenizerEnv for Environment {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<u32> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            let mut ids = vec![0; text.len() + 1];
            let count = (self.tokenize)(self.user, text.as_ptr(), text.len(), ids.as_mut_ptr(), ids.len());
            ids.truncate(count);
            ids
        })
    }
}

pub struct Vocabulary(ParserFactory);

/// 1,000 optional properties make rows of 4,000 items for Earley's parser, and masks that need less than 100,000 items.
const MAX_ITEMS_IN_ROW: usize = 5_000;
const MAX_ITEMS_IN_MASK: usize = 200_000;
/// A string of bounded length has one for each of its places, of some 600 bytes.
const MAX_LEXER_STATES: usize = 200_000;
/// What the tables of one text may hold before they begin anew, and what one step may add to them.
const MAX_TABLE_BYTES: usize = 96 << 20;
const MAX_STEP_BYTES: usize = 64 << 20;

/// As it was compiled: nobody changes it.
struct Compiled {
    matcher: Matcher,
    state: u32,   // gossamer_grammar_state() at the beginning
    bytes: usize, // that it holds
}

/// A text under a grammar, as far as it is written.
pub struct Grammar {
    compiled: Arc<Compiled>,
    matcher: Option<Matcher>, // a clone of the compiled one that has read `tokens`; none before it is needed
    matcher_bytes: usize,
    tokens: Vec<u32>,
    error: Option<String>,
}

impl Grammar {
    fn matcher(&mut self) -> &mut Matcher {
        self.matcher.get_or_insert_with(|| self.compiled.matcher.deep_clone())
    }

    /// The tables of a matcher grow with every place that its text comes by, up to a bound that ends it: what fails is tried
    /// once more with the tables as they were compiled.
    fn attempt<T>(&mut self, work: impl Fn(&mut Matcher) -> anyhow::Result<T>) -> anyhow::Result<T> {
        if self.matcher_bytes <= MAX_TABLE_BYTES {
            if let Ok(done) = self.step(&work) {
                return Ok(done);
            }
        }
        self.matcher = None; // before there are two
        let before = held_bytes::now();
        let mut fresh = self.compiled.matcher.deep_clone();
        let read = fresh.consume_tokens(&self.tokens);
        self.matcher_bytes = held_bytes::since(before);
        self.matcher = Some(fresh);
        read.and_then(|()| self.step(&work))
    }

    fn step<T>(&mut self, work: &impl Fn(&mut Matcher) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let before = held_bytes::now();
        let done = work(self.matcher());
        let added = held_bytes::since(before);
        self.matcher_bytes += added;
        let most = MAX_STEP_BYTES >> 20;
        anyhow::ensure!(added <= MAX_STEP_BYTES, "finding what may come next takes more than {most} MB");
        done
    }

    fn note<T>(&mut self, done: anyhow::Result<T>) -> Option<T> {
        done.map_err(|problem| self.error = Some(sentence(&problem))).ok()
    }
}

fn state_of(matcher: &mut Matcher) -> u32 {
    if matcher.is_error() {
        return 0;
    }
    if matcher.is_stopped() {
        return 3;
    }
    u32::from(matcher.is_accepting().unwrap_or(false))
}

/// The first line of what went wrong, and the cause where a parser drew a picture: the rest are traces for developers of
/// the crate.
fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or("unknown").trim_end_matches(':');
    if first == "NoExtensionBias" {
        return "no token leads on from here".to_string();
    }
    let cause = text.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
    cause.map_or(first.to_string(), |cause| format!("{first}: {cause}"))
}

/// A whole match of an expression. It is looked at here, because it is embedded into a text of another language below.
fn regex_grammar(expression: &str) -> Result<TopLevelGrammar, String> {
    match regex_syntax::parse(expression) {
        Ok(_) => Ok(TopLevelGrammar::from_regex(expression)),
        Err(regex_syntax::Error::Parse(problem)) => Err(problem.kind().to_string()),
        Err(regex_syntax::Error::Translate(problem)) => Err(problem.kind().to_string()),
        Err(problem) => Err(problem.to_string()),
    }
}

unsafe fn write_text(text: &str, out: *mut u8, capacity: usize) {
    if capacity == 0 {
        return;
    }
    let mut end = text.len().min(capacity - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    std::ptr::copy_nonoverlapping(text.as_ptr(), out, end);
    *out.add(end) = 0;
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_vocabulary(
    bytes: *const u8,
    lengths: *const u32,
    num_tokens: u32,
    end_token: u32,
    tokenize: Tokenize,
    user: *const c_void,
    error: *mut u8,
    capacity: usize,
) -> *mut Vocabulary {
    let made = panic_utils::catch_unwind(AssertUnwindSafe(|| {
        let mut tokens = Vec::with_capacity(num_tokens as usize);
        let mut at = 0;
        for &length in std::slice::from_raw_parts(lengths, num_tokens as usize) {
            tokens.push(std::slice::from_raw_parts(bytes.add(at), length as usize).to_vec());
            at += length as usize;
        }
        let trie = TokTrie::from(&TokRxInfo::new(num_tokens, end_token), &tokens);
        let environment: TokEnv = Arc::new(Environment { trie, tokenize, user });
        let mut factory = ParserFactory::new_simple(&environment)?;
        factory.quiet();
        Ok(Vocabulary(factory))
    }));
    match made {
        Ok(vocabulary) => Box::into_raw(Box::new(vocabulary)),
        Err(problem) => {
            write_text(&sentence(&problem), error, capacity);
            std::ptr::null_mut()
        }
    }
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_free_vocabulary(vocabulary: *mut Vocabulary) {
    if !vocabulary.is_null() {
        drop(Box::from_raw(vocabulary));
    }
}

/// White space between the parts of JSON is bounded: a model that only adds space would never end.
fn json_grammar(schema: &str) -> Result<TopLevelGrammar, serde_json::Error> {
    let mut schema: Value = serde_json::from_str(schema)?;
    if let Some(keywords) = schema.as_object_mut() {
        let options = keywords.entry("x-guidance").or_insert_with(|| json!({}));
        options["whitespace_pattern"] = json!("[\\x20\\x0A\\x0D\\x09]{1,8}");
    }
    Ok(TopLevelGrammar::from_json_schema(schema))
}

fn compile(vocabulary: &Vocabulary, grammar: TopLevelGrammar, max_items: usize, max_bytes: usize) -> anyhow::Result<Compiled> {
    let before = held_bytes::now();
    let limits = ParserLimits {
        max_grammar_size: max_items,
        max_items_in_row: MAX_ITEMS_IN_ROW,
        step_max_items: MAX_ITEMS_IN_MASK,
        max_lexer_states: MAX_LEXER_STATES,
        verbose_errors: false,
        ..ParserLimits::default()
    };
    let parser = vocabulary.0.create_parser_from_init_ext(
        llguidance::api::GrammarInit::Serialized(grammar),
        llguidance::Logger::new(0, 0),
        InferenceCapabilities::default(),
        limits,
    )?;
    dead_ends::check(parser.parser.grammar(), MAX_ITEMS_IN_ROW)?;
    let mut matcher = Matcher::new(Ok(parser));
    let state = state_of(&mut matcher);
    if let Some(problem) = matcher.get_error() {
        anyhow::bail!(problem);
    }
    let bytes = held_bytes::since(before);
    anyhow::ensure!(bytes <= max_bytes, "compiled it takes {} MB, and {} are the most", bytes.div_ceil(1 << 20), max_bytes >> 20);
    Ok(Compiled { matcher, state, bytes })
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_compile(
    vocabulary: *const Vocabulary,
    kind: u32,
    text: *const u8,
    bytes: usize,
    max_items: u64,
    max_bytes: u64,
    error: *mut u8,
    capacity: usize,
) -> *mut Grammar {
    let made = panic_utils::catch_unwind(AssertUnwindSafe(|| {
        let text = std::str::from_utf8(std::slice::from_raw_parts(text, bytes))?;
        let grammar = match kind {
            0 => json_grammar(text)?,
            1 => regex_grammar(text).map_err(std::io::Error::other)?,
            _ => TopLevelGrammar::from_lark(text.to_string()),
        };
        let compiled = compile(&*vocabulary, grammar, max_items as usize, max_bytes as usize)?;
        Ok(Grammar { compiled: Arc::new(compiled), matcher: None, matcher_bytes: 0, tokens: Vec::new(), error: None })
    }));
    match made {
        Ok(grammar) => Box::into_raw(Box::new(grammar)),
        Err(problem) => {
            write_text(&sentence(&problem), error, capacity);
            std::ptr::null_mut()
        }
    }
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_bytes(grammar: *const Grammar) -> u64 {
    let grammar = &*grammar;
    grammar.compiled.bytes as u64
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_clone(grammar: *const Grammar) -> *mut Grammar {
    let made = panic_utils::catch_unwind(AssertUnwindSafe(|| {
        let grammar = &*grammar;
        Ok(Grammar {
            compiled: grammar.compiled.clone(),
            matcher: grammar.matcher.as_ref().map(Matcher::deep_clone),
            matcher_bytes: grammar.matcher_bytes,
            tokens: grammar.tokens.clone(),
            error: grammar.error.clone(),
        })
    }));
    made.map_or(std::ptr::null_mut(), |grammar| Box::into_raw(Box::new(grammar)))
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_free(grammar: *mut Grammar) {
    if !grammar.is_null() {
        drop(Box::from_raw(grammar));
    }
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_mask(grammar: *mut Grammar, words: *mut u32, num_words: usize) -> bool {
    let grammar = &mut *grammar;
    let done = grammar.attempt(Matcher::compute_mask_or_eos);
    let Some(mask) = grammar.note(done) else { return false };
    let source = mask.as_slice();
    let count = source.len().min(num_words);
    std::ptr::copy_nonoverlapping(source.as_ptr(), words, count);
    for word in count..num_words {
        *words.add(word) = 0;
    }
    true
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_accept(grammar: *mut Grammar, token: u32) -> bool {
    let grammar = &mut *grammar;
    let done = grammar.attempt(|matcher| matcher.consume_token(token));
    let accepted = grammar.note(done).is_some();
    if accepted {
        grammar.tokens.push(token);
    }
    accepted
}

/// Bit 0: what was accepted is complete; bit 1: nothing may follow.
#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_state(grammar: *mut Grammar) -> u32 {
    let grammar = &mut *grammar;
    grammar.matcher.as_mut().map_or(grammar.compiled.state, state_of)
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_error(grammar: *const Grammar, out: *mut u8, capacity: usize) {
    write_text((*grammar).error.as_deref().unwrap_or(""), out, capacity);
}
