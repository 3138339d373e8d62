//! Lets a trace go on in the next process: W3C Trace Context's `traceparent` (§3.2), written and read here.
//!
//! Without an OpenTelemetry layer in the subscriber there is no trace, and no header is sent.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Writes the trace that `span` is part of into `headers`.
pub(super) fn inject(span: &Span, headers: &mut HeaderMap) {
    let context = span.context();
    if let Some(value) = to_header(context.span().span_context()) {
        headers.insert(TRACEPARENT, value);
    }
}

/// Makes `span` the child of the span that `headers` name, if they name one.
pub(super) fn extract(span: &Span, headers: &HeaderMap) {
    let parent = headers.get(TRACEPARENT).and_then(|value| from_header(value.to_str().ok()?));
    if let Some(parent) = parent {
        // It fails when nobody collects traces.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

fn to_header(span: &SpanContext) -> Option<HeaderValue> {
    if !span.is_valid() {
        return None;
    }
    let sampled = u8::from(span.is_sampled());
    HeaderValue::from_str(&format!("00-{}-{}-{sampled:02x}", span.trace_id(), span.span_id())).ok()
}

fn from_header(text: &str) -> Option<SpanContext> {
    let mut parts = text.splitn(4, '-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    // Our own peers speak version 00.
    if version != "00" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        flags,
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_example_survives() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = from_header(text).unwrap();
        assert!(context.is_remote() && context.is_sampled());
        assert_eq!(to_header(&context).unwrap(), text);
    }

    #[test]
    fn what_makes_no_sense_is_no_parent() {
        for text in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert_eq!(from_header(text), None, "{text}");
        }
    }

    #[test]
    fn without_a_trace_nothing_is_sent() {
        let mut headers = HeaderMap::new();
        inject(&Span::none(), &mut headers);
        assert!(headers.is_empty());
    }
}
