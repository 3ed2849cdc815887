# @summary A file, `true` for the usual one, `false` for none.
type Runit::Profile = Variant[Boolean, Runit::Absolutepath]
