# @summary Whom mail goes to.
type Runit::Address = Variant[Integer[0], Pattern[/\A(?!-)[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*\z/]]
