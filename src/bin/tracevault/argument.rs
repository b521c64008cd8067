//! The arguments that stand for the library's settings.

use std::borrow::Cow;

/// What a user of the command knows this setting as.
pub(crate) fn of(setting: &str) -> Cow<'static, str> {
    Cow::Borrowed(match setting {
        "connection_string" => "the connection string (`DATABASE_URL` or `--database-url`)",
        "table_name" => "`--table`",
        "schema" => "`--schema`",
        "environment" => "`--environment`",
        "mask_fields" => "`--mask-field`",
        "mask_patterns" => "`--mask-pattern`",
        "mask_value" => "`--mask-value`",
        "async_batch_size" => "`--batch-size`",
        other => return Cow::Owned(format!("`{other}`")),
    })
}
