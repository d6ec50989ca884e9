//! The rules of a compiled grammar as plain lists.

use llguidance::earley::lexerspec::LexemeIdx;
use llguidance::earley::{CGrammar, CSymIdx};
use std::collections::HashMap;
use std::ops::Range;

pub struct Symbol {
    pub lexeme: Option<LexemeIdx>, // of terminals
    pub is_nullable: bool,
    pub rules: Range<usize>,
}

impl Symbol {
    /// Whether any text but the empty one can be of it.
    pub fn writes(&self) -> bool {
        self.lexeme.is_some() || !self.rules.is_empty()
    }
}

pub struct Rule {
    pub symbol: usize,
    pub parts: Vec<usize>,
}

/// All that the start leads to. Those of one symbol lie together.
pub struct Rules {
    pub symbols: Vec<Symbol>,
    pub rules: Vec<Rule>,
    pub start: usize,
}

impl Rules {
    pub fn of(grammar: &CGrammar) -> Rules {
        let mut found = vec![grammar.start()];
        let mut numbers = HashMap::from([(grammar.start(), 0)]);
        let mut made = Rules { symbols: Vec::new(), rules: Vec::new(), start: 0 };
        while let Some(&index) = found.get(made.symbols.len()) {
            let symbol = made.symbols.len();
            let data = grammar.sym_data(index);
            let first = made.rules.len();
            let mut number = |&part: &CSymIdx| {
                *numbers.entry(part).or_insert_with(|| {
                    found.push(part);
                    found.len() - 1
                })
            };
            for &rule in &data.rules {
                let parts = grammar.rule_rhs(rule).0.iter().map(&mut number).collect();
                made.rules.push(Rule { symbol, parts });
            }
            made.symbols.push(Symbol {
                lexeme: data.lexeme,
                is_nullable: data.is_nullable || !data.cond_nullable.is_empty(),
                rules: first..made.rules.len(),
            });
        }
        made
    }

    pub fn of_symbol(&self, symbol: usize) -> &[Rule] {
        &self.rules[self.symbols[symbol].rules.clone()]
    }
}
