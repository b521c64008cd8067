//! The face of the spool, without the feature: there is none.
