//! Which parameters an endpoint takes: one list, by which others are refused, and which the document tells.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use http::request::Parts;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use crate::dashboard::{
    ask::{Ask, Asked},
    problem::Problem,
};

/// The parameters of an endpoint, by name.
pub(in crate::dashboard) trait Takes {
    const NAMES: &'static [&'static str];
}

/// What a URL asks of an endpoint. A parameter that it would not heed is refused.
pub(in crate::dashboard) struct Asking<T> {
    pub(in crate::dashboard) ask: Ask,
    of: PhantomData<T>,
}

impl<T: Takes, S: Sync> FromRequestParts<S> for Asking<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let ask = Ask::read(parts.uri.query().unwrap_or_default())?;
        match ask.asked.names().into_iter().find(|name| !T::NAMES.contains(name)) {
            Some(name) => Err(Problem::parameter(name, "is not a parameter here")),
            None => Ok(Self { ask, of: PhantomData }),
        }
    }
}

impl<T: Takes> IntoParams for Asking<T> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = Asked::into_params(place);
        all.retain(|parameter| T::NAMES.contains(&parameter.name.as_str()));
        all
    }
}

/// Without any.
pub(in crate::dashboard) enum Nothing {}

impl Takes for Nothing {
    const NAMES: &'static [&'static str] = &[];
}
