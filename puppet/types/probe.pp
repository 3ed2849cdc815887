# @summary One thing that has to be so; exactly one key.
type Runit::Probe = Variant[
  Struct[{ 'tcp' => Runit::Line }],
  Struct[{ 'http' => Runit::Url }],
  Struct[{ 'unix' => Runit::Absolutepath }],
  Struct[{ 'file' => Runit::Line }],
  Struct[{ 'command' => Runit::Words }],
  Struct[{ 'services' => Runit::Lines }],
]
