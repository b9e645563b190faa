//! Rust text with its comments and literals blanked, and the functions found in it.
//!
//! This is a lexer, not a parser: enough to know what is code, and where a function's braces end.

/// `text` with comments and the insides of string and character literals replaced by spaces.
/// Line breaks stay, so that line numbers stay.
pub fn strip(text: &str) -> String {
    let from: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < from.len() {
        let end = token_end(&from, at);
        match end {
            Some(end) => {
                blank(&from[at..end], &mut out);
                at = end;
            }
            None => {
                out.push(from[at]);
                at += 1;
            }
        }
    }
    out
}

fn blank(token: &[char], out: &mut String) {
    out.extend(token.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
}

/// Where the comment or literal that starts at `at` ends, or `None` where none starts.
fn token_end(from: &[char], at: usize) -> Option<usize> {
    match (from[at], from.get(at + 1).copied()) {
        ('/', Some('/')) => Some(
            from[at..]
                .iter()
                .position(|c| *c == '\n')
                .map_or(from.len(), |n| at + n),
        ),
        ('/', Some('*')) => Some(block_comment_end(from, at)),
        ('"', _) => Some(string_end(from, at + 1)),
        ('r', Some('"' | '#')) if starts_word(from, at) => raw_string_end(from, at + 1),
        ('\'', Some('\\')) => from[at + 3..]
            .iter()
            .position(|c| *c == '\'')
            .map(|n| at + 3 + n + 1),
        // A lifetime has no closing quote after one character.
        ('\'', Some(_)) if from.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

/// Whether the `r` at `at` opens a literal (`r"`, `br"`, `cr"`) and is not the end of a name.
fn starts_word(from: &[char], at: usize) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    match at.checked_sub(1).map(|i| from[i]) {
        None => true,
        Some('b' | 'c') => at < 2 || !is_name(from[at - 2]),
        Some(before) => !is_name(before),
    }
}

fn block_comment_end(from: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i < from.len() {
        match (from[i], from.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => {
                (depth, i) = (depth - 1, i + 2);
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    from.len()
}

fn string_end(from: &[char], mut at: usize) -> usize {
    while at < from.len() {
        match from[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    from.len()
}

fn raw_string_end(from: &[char], at: usize) -> Option<usize> {
    let hashes = from[at..].iter().take_while(|c| **c == '#').count();
    if from.get(at + hashes) != Some(&'"') {
        return None;
    }
    let mut i = at + hashes + 1;
    while i < from.len() {
        let closes = from[i + 1..]
            .iter()
            .take(hashes)
            .filter(|c| **c == '#')
            .count()
            == hashes;
        if from[i] == '"' && closes {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(from.len())
}

/// A function with a body.
pub struct Function {
    pub name: String,
    /// The line of `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace, both counted.
    pub lines: usize,
}

/// The functions with bodies in stripped text, nested ones too.
pub fn functions(stripped: &str) -> Vec<Function> {
    let text: Vec<char> = stripped.chars().collect();
    let mut found = Vec::new();
    for start in words(&text, "fn") {
        let name: String = text[start + 2..]
            .iter()
            .skip_while(|c| c.is_whitespace())
            .take_while(|c| c.is_alphanumeric() || **c == '_')
            .collect();
        // `fn(` is a type.
        let (false, Some(end)) = (name.is_empty(), body_end(&text, start)) else {
            continue;
        };
        let line = 1 + count_lines(&text[..start]);
        found.push(Function {
            name,
            line,
            lines: 1 + count_lines(&text[start..end]),
        });
    }
    found
}

fn count_lines(text: &[char]) -> usize {
    text.iter().filter(|c| **c == '\n').count()
}

/// The places where `word` stands as a whole word.
fn words(text: &[char], word: &str) -> Vec<usize> {
    let word: Vec<char> = word.chars().collect();
    let is_name = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    (0..text.len())
        .filter(|at| text[*at..].starts_with(&word))
        .filter(|at| !is_name(at.checked_sub(1).and_then(|i| text.get(i))))
        .filter(|at| !is_name(text.get(at + word.len())))
        .collect()
}

/// The end of the body of the function that starts at `start`; `None` where `;` comes first.
fn body_end(text: &[char], start: usize) -> Option<usize> {
    let (mut braces, mut others) = (0_u32, 0_i32);
    for (i, c) in text.iter().enumerate().skip(start) {
        match c {
            '(' | '[' if braces == 0 => others += 1,
            ')' | ']' if braces == 0 => others -= 1,
            // In `[u8; 4]` the semicolon does not end the declaration.
            ';' if braces == 0 && others == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

/// Lines before the unit tests at the foot of a file.
pub fn lines_before_tests(text: &str) -> usize {
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let next = lines.peek().map_or("", |(_, next)| next.trim());
        if line.trim() == "#[cfg(test)]" && next.starts_with("mod ") {
            return at;
        }
    }
    text.lines().count()
}

#[cfg(test)]
mod tests {
    use super::{functions, lines_before_tests, strip};

    #[test]
    fn comments_and_literals_are_blank_and_lifetimes_are_not() {
        let text = "a // b\n\"c\\\"d\" 'e' &'f r#\"g\"h\"# /* i /* j */ k */ l '\\n' '\\'' m";
        let words: Vec<String> = strip(text).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words, ["a", "&'f", "l", "m"]);
    }

    #[test]
    fn a_function_ends_at_its_own_brace() {
        let text =
            "fn a(x: [u8; 2]) -> u8 {\n  if y { \"}\" }\n}\ntrait T { fn b(); }\nfn c() {}\n";
        let found: Vec<(String, usize, usize)> = functions(&strip(text))
            .into_iter()
            .map(|f| (f.name, f.line, f.lines))
            .collect();
        assert_eq!(found, [("a".into(), 1, 3), ("c".into(), 5, 1)]);
    }

    #[test]
    fn tests_at_the_foot_are_not_counted() {
        assert_eq!(
            lines_before_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"),
            2
        );
        assert_eq!(lines_before_tests("a\n#[cfg(test)]\nfn f() {}\n"), 3);
    }
}
