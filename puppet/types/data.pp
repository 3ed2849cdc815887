# @summary The hash `runit`; the class `runit` describes the keys.
type Runit::Data = Struct[{
  Optional['runtime'] => Runit::Runtime,
  Optional['prefix'] => Runit::Absolutepath,
  Optional['package_file'] => Runit::Line,
  Optional['filestore'] => Runit::Line,
  Optional['workspace'] => Runit::Absolutepath,
  Optional['owner'] => Runit::Line,
  Optional['service_directory'] => Runit::Absolutepath,
  Optional['definitions'] => Runit::Absolutepath,
  Optional['log_directory'] => Runit::Absolutepath,
  Optional['home'] => Runit::Absolutepath,
  Optional['basedir'] => Runit::Absolutepath,
  Optional['logdir'] => Runit::Absolutepath,
  Optional['profile'] => Variant[Boolean, Runit::Absolutepath],
  Optional['defaults'] => Runit::Data::Service,
  Optional['services'] => Runit::Services,
  Optional['users'] => Runit::Users,
}]
