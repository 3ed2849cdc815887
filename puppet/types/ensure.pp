# @summary The state of a service; `any` leaves it as people left it.
type Runit::Ensure = Enum['running', 'stopped', 'absent', 'any']
