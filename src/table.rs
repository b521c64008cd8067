//! The name of an audit table: parsed once, quoted whenever it is shown.

use std::fmt;

use crate::error::ConfigError;

/// The longest name that PostgreSQL keeps whole, in bytes.
const LONGEST: usize = 63;

/// An SQL name that needs no escaping: `^[A-Za-z_][A-Za-z0-9_]*$`, at most 63 characters.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Identifier(Box<str>);

impl Identifier {
    fn parse(key: &'static str, text: &str) -> Result<Self, ConfigError> {
        let mut bytes = text.bytes();
        let starts = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
        if starts && text.len() <= LONGEST && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Ok(Self(text.into()));
        }
        Err(ConfigError::new(
            key,
            "must be 1 to 63 ASCII letters, digits and underscores, and must not start with a digit",
        ))
    }
}

/// The name of an audit table, with or without a schema.
///
/// [`Display`](fmt::Display) gives it quoted, ready for SQL. Names are case-sensitive, as quoted names are.
///
/// ```
/// use tracevault::TableName;
///
/// let table = TableName::new("audit_logs")?.in_schema("compliance")?;
/// assert_eq!(table.to_string(), r#""compliance"."audit_logs""#);
/// assert!(TableName::new("audit logs; DROP TABLE users").is_err());
/// # Ok::<(), tracevault::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    schema: Option<Identifier>,
    name: Identifier,
}

impl TableName {
    /// A table that the connection's search path finds.
    ///
    /// # Errors
    /// `Config` when the name is anything but 1 to 63 ASCII letters, digits and underscores, or starts with a digit.
    pub fn new(name: &str) -> Result<Self, crate::Error> {
        Ok(Self { schema: None, name: Identifier::parse("table_name", name)? })
    }

    /// The same table in a named schema.
    ///
    /// # Errors
    /// `Config` by the same rule as for the name.
    pub fn in_schema(self, schema: &str) -> Result<Self, crate::Error> {
        Ok(Self { schema: Some(Identifier::parse("schema", schema)?), ..self })
    }

    /// The bare name.
    pub fn name(&self) -> &str {
        &self.name.0
    }

    /// The bare name of the schema, where one was given.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_ref().map(|schema| &*schema.0)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "\"{}\".", schema.0)?;
        }
        write!(f, "\"{}\"", self.name.0)
    }
}

impl fmt::Debug for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableName({self})")
    }
}
