# @summary One thing that has to be so.
type Runit::Probe = Variant[
  Struct[{ 'tcp' => Runit::Line }],
  Struct[{ 'http' => Pattern[/\Ahttps?:\/\//] }],
  Struct[{ 'unix' => Runit::Absolutepath }],
  Struct[{ 'file' => Runit::Line }],
  Struct[{ 'command' => Array[Runit::Text, 1] }],
  Struct[{ 'services' => Runit::Lines }],
]
