# @summary Seconds: a number, or one with s, m, h, d or w.
type Runit::Span = Variant[Integer[0], Pattern[/\A[0-9]{1,18}\s*[smhdwSMHDW]?\z/]]
