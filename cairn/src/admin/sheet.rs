//! What an operator is shown: names and values, as text for people or as JSON for programs.

use serde_json::{Map, Value, json};

/// Names and values, in the order in which a person wants to read them.
#[derive(Debug, Default)]
pub(crate) struct Sheet(Vec<(&'static str, Value)>);

impl Sheet {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The same with one more line.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, json!(value.to_string())));
        self
    }

    /// The same with one more line, if there is a value.
    pub(crate) fn maybe(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same with a value that is no text.
    pub(crate) fn json(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// The same with a list.
    pub(crate) fn list(self, name: &'static str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        self.json(name, values)
    }

    /// The same with sheets below.
    pub(crate) fn sheets(self, name: &'static str, sheets: impl IntoIterator<Item = Self>) -> Self {
        let sheets: Vec<Value> = sheets.into_iter().map(Self::into_json).collect();
        self.json(name, sheets)
    }

    /// One object.
    pub(crate) fn into_json(self) -> Value {
        Value::Object(self.0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
    }

    /// A line for each value, or as many as it has.
    pub(crate) fn into_text(self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in self.0 {
            let name = name.replace('_', " ");
            for (number, line) in lines(&value).into_iter().enumerate() {
                let name = if number == 0 { name.as_str() } else { "" };
                text.push_str(format!("{name:<width$}  {line}").trim_end());
                text.push('\n');
            }
        }
        text
    }
}

fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.lines().map(printable).collect(),
        Value::Array(values) if values.is_empty() => vec!["none".to_owned()],
        Value::Array(values) => values.iter().flat_map(lines).collect(),
        Value::Object(values) => {
            let words = values.iter().map(|(name, value)| format!("{name} {}", lines(value).join(" ")));
            vec![words.collect::<Vec<_>>().join(", ")]
        }
        Value::Bool(true) => vec!["yes".to_owned()],
        Value::Bool(false) => vec!["no".to_owned()],
        Value::Null => vec!["none".to_owned()],
        Value::Number(number) => vec![number.to_string()],
    }
}

/// What strangers wrote cannot move an operator's cursor.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|char| if char.is_control() { char.escape_default().collect() } else { vec![char] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        Sheet::new()
            .with("id", "01")
            .list("contact", ["mailto:a@a.test", "evil\u{1b}[2J"])
            .maybe("serial", None::<u8>)
            .sheets("authorizations", [Sheet::new().with("id", "02").with("status", "valid")])
    }

    #[test]
    fn people_get_lines_and_no_control_characters() {
        let text = sheet().into_text();
        let expected = "id              01\n\
                        contact         mailto:a@a.test\n\
                        \x20               evil\\u{1b}[2J\n\
                        authorizations  id 02, status valid\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn programs_get_json() {
        let value = sheet().into_json();
        assert_eq!(value["authorizations"][0]["status"], "valid");
        assert_eq!(value["contact"][1], "evil\u{1b}[2J");
    }
}
