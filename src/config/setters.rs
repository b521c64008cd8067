//! The builder methods that a configuration and a scope's overrides share.

/// The builder methods of the keys that a scope may override, standing in the docs of both types.
macro_rules! scope_setters {
    ($type:ident) => {
        impl $type {
            /// The table to write to.
            #[must_use]
            #[doc(alias = "tableName")]
            pub fn table_name(mut self, name: impl Into<String>) -> Self {
                self.table_name = Some(name.into());
                self
            }

            /// The schema of the table. Without it, the connection's search path decides.
            #[must_use]
            pub fn schema(mut self, schema: impl Into<String>) -> Self {
                self.schema = Some(schema.into());
                self
            }

            /// The mode of events that do not say.
            #[must_use]
            #[doc(alias = "defaultMode")]
            pub fn default_mode(mut self, mode: Mode) -> Self {
                self.default_mode = Some(mode);
                self
            }

            /// The keys whose values are hidden, whatever their case, at any depth.
            #[must_use]
            #[doc(alias = "maskFields")]
            pub fn mask_fields<S: Into<String>>(mut self, fields: impl IntoIterator<Item = S>) -> Self {
                self.mask_fields = Some(fields.into_iter().map(Into::into).collect());
                self
            }

            /// What stands in place of what is hidden.
            #[must_use]
            #[doc(alias = "maskValue")]
            pub fn mask_value(mut self, value: impl Into<String>) -> Self {
                self.mask_value = Some(value.into());
                self
            }

            /// Patterns whose matches in string values are hidden: a token inside a URL, an address inside a sentence.
            #[must_use]
            pub fn mask_patterns(mut self, patterns: impl IntoIterator<Item = Regex>) -> Self {
                self.mask_patterns = Some(patterns.into_iter().collect());
                self
            }

            /// What is told, exactly once, of each record that an async emit accepted and that could not be stored;
            /// the record is masked. Also of a sync emit's record, if nobody reads the answer any more. It runs on the
            /// writer's task, or where such an emit is dropped, and must not block; a panic inside it is caught.
            #[must_use]
            #[doc(alias = "onError")]
            pub fn on_error(mut self, handler: impl Fn(&Error, &Record) + Send + Sync + 'static) -> Self {
                self.on_error = Some(std::sync::Arc::new(handler));
                self
            }

            /// The most records in one statement.
            #[must_use]
            #[doc(alias = "asyncBatchSize")]
            pub fn async_batch_size(mut self, records: usize) -> Self {
                self.async_batch_size = Some(records);
                self
            }

            /// How long the writer waits before it takes a batch; a full batch, a waiting sync emit, `flush` and
            /// `close` end the wait.
            #[must_use]
            #[doc(alias = "asyncFlushIntervalMs")]
            pub fn async_flush_interval(mut self, interval: Duration) -> Self {
                self.async_flush_interval = Some(interval);
                self
            }

            /// How many writers the scope has, each on a connection of its own while it writes. More than one store
            /// faster, and give up the order: records of one scope are then stored in the order of their batches' ends.
            /// Not more than `pool_size` can work at once.
            #[must_use]
            pub fn writers(mut self, writers: usize) -> Self {
                self.writers = Some(writers);
                self
            }
        }
    };
}
pub(super) use scope_setters;
