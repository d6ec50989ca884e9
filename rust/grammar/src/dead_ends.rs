//! Grammars that lead into places from which no text ends, or that cannot be followed, found before anybody goes there.

use crate::rules::{Rules, Symbol};
use anyhow::{bail, ensure, Result};
use llguidance::api::ParserLimits;
use llguidance::earley::CGrammar;

/// Errors: no finite text fits the grammar; a text can come to where none goes on to an end, or where more than
/// `max_items_in_row` ways go on; special tokens.
pub fn check(grammar: &CGrammar, max_items_in_row: usize) -> Result<()> {
    let lexer = grammar.lexer_spec();
    ensure!(
        lexer.token_range_lexemes(&lexer.all_lexemes()).is_empty(),
        "special tokens are no text: an answer cannot have them where its grammar says so"
    );
    let rules = Rules::of(grammar);
    let has_end = find_ends(&rules, match_something(grammar, &rules)?);
    ensure!(has_end[rules.start], "no text fits: whatever begins as it says never comes to an end");
    find_traps(&rules, &has_end)?;
    check_rows(&rules, max_items_in_row)
}

/// By symbol: whether a finite text fits it by itself, because it may be empty or its expression matches something.
fn match_something(grammar: &CGrammar, rules: &Rules) -> Result<Vec<bool>> {
    let lexer = grammar.lexer_spec();
    let mut expressions = lexer.to_regex_vec(&mut ParserLimits::default())?;
    let mut selected = lexer.alloc_lexeme_set();
    Ok(rules
        .symbols
        .iter()
        .map(|symbol| {
            symbol.lexeme.map_or(symbol.is_nullable, |lexeme| {
                selected.clear();
                selected.add(lexeme);
                !expressions.initial_state(&selected).is_dead()
            })
        })
        .collect())
}

/// A symbol has an end where all parts of one of its rules have. Each rule counts those that it waits for.
fn find_ends(rules: &Rules, mut has_end: Vec<bool>) -> Vec<bool> {
    let mut missing: Vec<usize> = rules.rules.iter().map(|rule| rule.parts.len()).collect();
    let mut stands_in = vec![Vec::new(); rules.symbols.len()];
    for (index, rule) in rules.rules.iter().enumerate() {
        rule.parts.iter().for_each(|&part| stands_in[part].push(index));
    }
    let mut ended: Vec<usize> = (0..has_end.len()).filter(|&symbol| has_end[symbol]).collect();
    while let Some(part) = ended.pop() {
        for &index in &stands_in[part] {
            missing[index] -= 1;
            let symbol = rules.rules[index].symbol;
            if missing[index] == 0 && !has_end[symbol] {
                has_end[symbol] = true;
                ended.push(symbol);
            }
        }
    }
    has_end
}

/// A rule with a part that has no end is a trap where text can be written in it before that part.
fn find_traps(rules: &Rules, has_end: &[bool]) -> Result<()> {
    let mut seen = vec![false; rules.symbols.len()];
    let mut open = vec![rules.start];
    while let Some(symbol) = open.pop() {
        if std::mem::replace(&mut seen[symbol], true) {
            continue;
        }
        for rule in rules.of_symbol(symbol) {
            let trap = rule.parts.iter().position(|&part| !has_end[part]);
            if trap.is_some_and(|at| rule.parts[..at].iter().any(|&part| rules.symbols[part].writes())) {
                bail!("a text can come to a place from which it never ends");
            }
            open.extend(&rule.parts[..trap.map_or(rule.parts.len(), |at| at + 1)]);
        }
    }
    Ok(())
}

/// The library keeps, for each place of a text, an item for each place in the rules where it may stand: those that follow
/// from one place in a rule are counted here, behind each part that writes something. What takes too long to count is left
/// to whoever tries the grammar.
fn check_rows(rules: &Rules, max_items: usize) -> Result<()> {
    const MOST_STEPS: usize = 50_000_000;
    let mut steps = 0;
    let mut predicted = vec![usize::MAX; rules.symbols.len()]; // by symbol: the last count that has met it
    let mut count = 0;
    let mut items: Vec<(usize, usize)> = Vec::new(); // (rule, dot)
    for (first, rule) in rules.rules.iter().enumerate() {
        for begin in 0..rule.parts.len() {
            let is_entry = if begin == 0 { rule.symbol == rules.start } else { rules.symbols[rule.parts[begin - 1]].writes() };
            if !is_entry {
                continue;
            }
            if steps > MOST_STEPS {
                return Ok(());
            }
            count += 1;
            items.clear();
            items.push((first, begin));
            let mut next = 0;
            while next < items.len() {
                let (index, dot) = items[next];
                next += 1;
                let Some(&part) = rules.rules[index].parts.get(dot) else { continue };
                let symbol: &Symbol = &rules.symbols[part];
                if symbol.is_nullable {
                    items.push((index, dot + 1));
                }
                if predicted[part] != count {
                    predicted[part] = count;
                    items.extend(symbol.rules.clone().map(|rule| (rule, 0)));
                }
                ensure!(
                    items.len() <= max_items,
                    "a text can come to a place where more than {max_items} parts of the grammar may follow, such as more \
                     than {} optional properties",
                    max_items / 4
                );
            }
            steps += items.len();
        }
    }
    Ok(())
}
