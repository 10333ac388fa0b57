//! One line of CSV into its fields, as RFC 4180 has them and no other way.
//!
//! The csv crate takes a quote in the midst of a field for text, and one that is not closed for the beginning of a field
//! that goes on for lines. In an export of a shop both are damage, and money stands in those lines.

/// The fields of a line, which has no line break.
///
/// Errors: where a quote stands that should not.
pub fn split(line: &str) -> Result<Vec<String>, Stray> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let number = fields.len() + 1;
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => closed(quoted).ok_or(Stray::Open(number))?,
            None => {
                let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                if field.contains('"') {
                    return Err(Stray::Within(number));
                }
                (field.to_owned(), after)
            }
        };
        fields.push(field);
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.is_empty() => return Ok(fields),
            None => return Err(Stray::Within(number)),
        };
    }
}

/// A quote where none should be; with the number of the field, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stray {
    /// It opens the field, and nothing on the line closes it.
    Open(usize),
    /// It stands in the midst of the field.
    Within(usize),
}

/// Is a quoted field open after `line` that was open before it, or not?
pub fn is_open_after(line: &[u8], open: bool) -> bool {
    // Two quotes in a quoted field are one of its text: they close it and open it again.
    let quotes = line.iter().filter(|byte| **byte == b'"').count();
    open != (quotes % 2 == 1)
}

// The text of a field whose quote has opened, and what stands after the quote that closes it.
fn closed(mut rest: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    loop {
        let (text, after) = rest.split_once('"')?;
        field.push_str(text);
        let Some(escaped) = after.strip_prefix('"') else { return Some((field, after)) };
        field.push('"');
        rest = escaped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_where_the_standard_says() {
        let fields: [(&str, &[&str]); 8] = [
            ("a,b", &["a", "b"]),
            ("a", &["a"]),
            ("", &[""]),
            (",", &["", ""]),
            ("\"a\",\"\",b", &["a", "", "b"]),
            ("\"a,b\"", &["a,b"]),
            ("\"a \"\"b\"\"\",c", &["a \"b\"", "c"]),
            (" a ,é", &[" a ", "é"]),
        ];
        for (line, fields) in fields {
            assert_eq!(split(line).unwrap(), fields, "{line}");
        }
    }

    #[test]
    fn a_stray_quote_is_found_in_its_field() {
        for (line, stray) in [
            ("a,\"b", Stray::Open(2)),
            ("\"a,b", Stray::Open(1)),
            ("\"a\"\",b", Stray::Open(1)),
            ("a,b\"", Stray::Within(2)),
            ("a,12\" disc,c", Stray::Within(2)),
            ("\"a\"b,c", Stray::Within(1)),
            ("\"a\" ,c", Stray::Within(1)),
        ] {
            assert_eq!(split(line), Err(stray), "{line}");
        }
        assert!(is_open_after(b"c", true) && !is_open_after(b"c\",d", true) && is_open_after(b"c\"\",d", true));
    }
}
