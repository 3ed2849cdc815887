# @summary Who writes a log.
type Runit::Log::Type = Enum['svlogd', 'rsvlog', 'script', 'none']
