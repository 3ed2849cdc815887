# @summary A URL of http or https.
type Runit::Url = Pattern[/\Ahttps?:\/\/[^\x00-\x20\x7f]+\z/]
