//! What an application says happened. Nothing is checked here but form: the rules are kept where an event becomes a
//! record, since only there the scope's masks and limits are known.

mod diff_event;
mod head;
mod mode;
mod plain;
mod wire;

pub use self::{diff_event::DiffEvent, mode::Mode, plain::Event};
