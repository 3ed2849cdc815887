# @summary What another service is told: `restart`, or a word of sv.
type Runit::Verb = Variant[Enum['restart', 'up', 'down', 'hup', 'alarm', 'interrupt', 'quit', 'term', 'kill', '1', '2'], Integer[1, 1], Integer[2, 2]]
