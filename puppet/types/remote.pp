# @summary Log lines sent by UDP; `only` writes none to the log directory.
type Runit::Remote = Struct[{
  'address' => Runit::Line,
  Optional['only'] => Boolean,
}]
