# @summary Other files of a service directory, by their paths.
type Runit::Files = Hash[Runit::Relativepath, Runit::File]
