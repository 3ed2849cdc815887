# @summary Lines sent by UDP.
type Runit::Remote = Struct[{
  'address' => Runit::Line,
  Optional['only'] => Optional[Boolean],
}]
