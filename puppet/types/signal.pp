# @summary A signal, by the name that sv has for it.
type Runit::Signal = Variant[Enum['hup', 'alarm', 'interrupt', 'quit', 'term', 'kill', '1', '2'], Integer[1, 1], Integer[2, 2]]
