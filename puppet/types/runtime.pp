# @summary Which runit supervises the host.
type Runit::Runtime = Enum['shipped', 'package', 'package_file', 'none']
