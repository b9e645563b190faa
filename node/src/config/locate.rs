//! On which line a key stands: a person mends a line, not a key path.

/// The line (from 1) of a key such as `hospital.rules.1.deadline`, where it is spelt as tables are
/// in the shipped files (a `[table]` header and `key = value` lines). Falls back to the line of the
/// nearest table above the key, and to none where that is not in the text either.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let mut headers: Vec<String> = Vec::new();
    let mut table = String::new();
    let mut best: Option<(usize, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let path = if let Some(name) = array_header(line) {
            let count = headers.iter().filter(|known| *known == name).count();
            headers.push(name.to_owned());
            table = format!("{name}.{count}");
            table.clone()
        } else if let Some(name) = header(line) {
            table = name.to_owned();
            table.clone()
        } else if let Some((name, _)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let name = name.trim();
            if table.is_empty() {
                name.to_owned()
            } else {
                format!("{table}.{name}")
            }
        } else {
            continue;
        };
        // The longest path that the key is inside of, the first of its kind.
        let inside = key == path || key.starts_with(&format!("{path}."));
        if inside && best.is_none_or(|(length, _)| path.len() > length) {
            best = Some((path.len(), index + 1));
        }
    }
    best.map(|(_, line)| line)
}

fn array_header(line: &str) -> Option<&str> {
    Some(line.strip_prefix("[[")?.split_once("]]")?.0.trim())
}

fn header(line: &str) -> Option<&str> {
    Some(line.strip_prefix('[')?.split_once(']')?.0.trim())
}

/// The key on the line of a byte, as `hospital.delivery.kind`; its table's where the line has none.
pub(super) fn key_at(text: &str, byte: usize) -> String {
    let table = table_at(text, byte);
    let line = text
        .lines()
        .nth(line_at(text, byte) - 1)
        .unwrap_or_default()
        .trim();
    match line.split_once('=').filter(|_| !line.starts_with('#')) {
        Some((key, _)) if table.is_empty() => key.trim().to_owned(),
        Some((key, _)) => format!("{table}.{}", key.trim()),
        None => table.to_owned(),
    }
}

/// The table header that is in force at a byte of the text, as `hospital.delivery`.
fn table_at(text: &str, byte: usize) -> &str {
    let above = text.get(..byte).unwrap_or(text);
    // The line that the byte is on belongs to what is above if it is a header itself.
    let rest = text
        .get(byte..)
        .unwrap_or_default()
        .split('\n')
        .next()
        .unwrap_or_default();
    let end = above.len() + rest.len();
    text.get(..end)
        .unwrap_or(text)
        .lines()
        .rev()
        .map(str::trim)
        .find_map(|line| array_header(line).or_else(|| header(line)))
        .unwrap_or_default()
}

/// The line (from 1) of a byte.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    text.bytes()
        .take(byte)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "data_dir = \"x\"\n\n[mesh]\nlisten = []\n# a = 1\n[[hospital.rules]]\n\
        name = \"a\"\n[[hospital.rules]]\nname = \"b\"\n\
        deadline = \"1\"\n[hospital.delivery]\nkind=1\n";

    #[test]
    fn a_key_is_found_in_its_table() {
        assert_eq!(line_of(TEXT, "data_dir"), Some(1));
        assert_eq!(line_of(TEXT, "mesh.listen"), Some(4));
        assert_eq!(line_of(TEXT, "mesh.listen.0"), Some(4));
        assert_eq!(line_of(TEXT, "hospital.rules.0.name"), Some(7));
        assert_eq!(line_of(TEXT, "hospital.rules.1.deadline"), Some(10));
        assert_eq!(line_of(TEXT, "hospital.delivery.kind"), Some(12));
    }

    #[test]
    fn a_key_that_is_left_out_is_looked_for_at_its_table() {
        assert_eq!(line_of(TEXT, "hospital.rules.1.urgency"), Some(8));
        assert_eq!(line_of(TEXT, "mesh.external"), Some(3));
        assert_eq!(line_of(TEXT, "mesh.a"), Some(3));
        assert_eq!(line_of(TEXT, "control.socket"), None);
    }

    #[test]
    fn a_byte_has_a_line_and_a_table() {
        let byte = TEXT.find("deadline").unwrap();
        assert_eq!(
            (line_at(TEXT, byte), table_at(TEXT, byte)),
            (10, "hospital.rules")
        );
        assert_eq!((line_at(TEXT, 0), table_at(TEXT, 0)), (1, ""));
        assert_eq!(table_at(TEXT, TEXT.find("[mesh]").unwrap()), "mesh");
        assert_eq!(table_at(TEXT, usize::MAX), "hospital.delivery");
        assert_eq!(key_at(TEXT, byte), "hospital.rules.deadline");
        assert_eq!(
            (key_at(TEXT, 0), key_at(TEXT, 15)),
            ("data_dir".into(), String::new())
        );
    }
}
