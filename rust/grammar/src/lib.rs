//! llguidance behind a few C functions; src/grammar/grammar_library.h is their other side and says what they promise.
//! Nothing here panics across the border: every function that can fail catches what the crate throws and writes a sentence.

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::toktrie::{InferenceCapabilities, TokEnv, TokRxInfo, TokTrie, TokenizerEnv};
use llguidance::{panic_utils, Matcher, ParserFactory};
use serde_json::{json, Value};
use std::ffi::c_void;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

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

pub struct Grammar {
    matcher: Matcher,
    error: Option<String>,
}

/// The first line of what went wrong, and the cause where a parser drew a picture: the rest are traces for developers of
/// the crate.
fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or("unknown").trim_end_matches(':');
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
        keywords.insert("x-guidance".to_string(), json!({"whitespace_pattern": "[\\x20\\x0A\\x0D\\x09]{1,8}"}));
    }
    Ok(TopLevelGrammar::from_json_schema(schema))
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_compile(
    vocabulary: *const Vocabulary,
    kind: u32,
    text: *const u8,
    bytes: usize,
    max_items: u64,
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
        let limits = ParserLimits {
            max_grammar_size: max_items as usize,
            max_lexer_states: 50_000,
            verbose_errors: false,
            ..ParserLimits::default()
        };
        let factory = &(*vocabulary).0;
        let parser = factory.create_parser_from_init_ext(
            llguidance::api::GrammarInit::Serialized(grammar),
            llguidance::Logger::new(0, 0),
            InferenceCapabilities::default(),
            limits,
        )?;
        let matcher = Matcher::new(Ok(parser));
        match matcher.get_error() {
            Some(problem) => Err(std::io::Error::other(problem).into()),
            None => Ok(Grammar { matcher, error: None }),
        }
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
pub unsafe extern "C" fn gossamer_grammar_clone(grammar: *const Grammar) -> *mut Grammar {
    let made = panic_utils::catch_unwind(AssertUnwindSafe(|| {
        Ok(Grammar { matcher: (*grammar).matcher.deep_clone(), error: (*grammar).error.clone() })
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
    match (*grammar).matcher.compute_mask_or_eos() {
        Ok(mask) => {
            let source = mask.as_slice();
            let count = source.len().min(num_words);
            std::ptr::copy_nonoverlapping(source.as_ptr(), words, count);
            for word in count..num_words {
                *words.add(word) = 0;
            }
            true
        }
        Err(problem) => {
            (*grammar).error = Some(sentence(&problem));
            false
        }
    }
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_accept(grammar: *mut Grammar, token: u32) -> bool {
    match (*grammar).matcher.consume_token(token) {
        Ok(()) => true,
        Err(problem) => {
            (*grammar).error = Some(sentence(&problem));
            false
        }
    }
}

/// Bit 0: what was accepted is complete; bit 1: nothing may follow.
#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_state(grammar: *mut Grammar) -> u32 {
    let matcher = &mut (*grammar).matcher;
    if matcher.is_error() {
        return 0;
    }
    if matcher.is_stopped() {
        return 3;
    }
    u32::from(matcher.is_accepting().unwrap_or(false))
}

#[no_mangle]
pub unsafe extern "C" fn gossamer_grammar_error(grammar: *const Grammar, out: *mut u8, capacity: usize) {
    write_text((*grammar).error.as_deref().unwrap_or(""), out, capacity);
}
