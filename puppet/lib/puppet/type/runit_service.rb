# frozen_string_literal: true

require_relative '../../puppet_x/runit/reasoned'

Puppet::Type.newtype(:runit_service) do
  @doc = <<-DOC
    @summary One service of the data: what changes of it, whether it came up, and what other resources have to do with it.

    What the service is stands in the data, to which `runit::service` and `runit::user::service` add with `keys` and `value`. One that
    stands in hiera alone needs no resource; to attach something to it, declare one that says nothing more.

    It is made as the data say when its turn comes, together with all services for which nothing else has to be done first. A refresh
    restarts it, or sends it the signal that its `on_change` names. It fails alone when it does not come up.

    `puppet resource runit_service` lists the services that were made on this host, of users too, and whether each is `running`, `stopped` or
    `unsupervised`.

    @example A service that stands in hiera, restarted with its configuration
      runit_service { 'apprun1/worker':
        subscribe => File['/etc/worker.conf'],
      }
  DOC

  newparam(:name, namevar: true) do
    desc 'The id, as `runit-provision status` shows it: `web`, `user/web`, `cluster/node`; the tree of a user is `runsvdir-USER`.'
  end

  newparam(:target) do
    desc 'The title of the `runit_data` and `runit_host` that it belongs to; default: the only one that there is.'
  end

  newparam(:keys) do
    desc 'The keys that lead to the service in the data.'
    validate { |value| raise ArgumentError, "has to be a list of keys, not #{value.inspect}" unless value.is_a?(Array) }
  end

  newparam(:value) do
    desc 'What is added to the data there; a hash is merged with what others say of the same keys. It may hold secrets.'
    validate { |value| raise ArgumentError, "has to be a hash, not #{value.class}" unless value.is_a?(Hash) || value.respond_to?(:resolve) }
  end

  newproperty(:ensure) do
    include PuppetX::Runit::Reasoned

    desc 'What the data want: `running`, `stopped`, `any` or `absent`. They decide; something else said here is an error.'
    defaultto :running
    newvalues(:running, :stopped, :any, :absent)
    validate { |value| raise ArgumentError, "is said in the data: #{value}" unless %w[running stopped any absent].include?(value.to_s) }

    def retrieve
      provider.state
    end

    def sync
      provider.apply
      nil
    end

    def change_to_s(is, should)
      "#{is} to #{should}: #{super}"
    end
  end

  newproperty(:definition) do
    include PuppetX::Runit::Reasoned

    desc 'That files, links and log of the service are as the data say.'
    defaultto :current
    newvalue(:current)

    def retrieve
      provider.current? ? :current : :different
    end

    def sync
      provider.apply
      nil
    end
  end

  autorequire(:runit_host) { host_resource&.title }
  autorequire(:exec) { 'runit-provision init link' }
  autorequire(:runit_service) { data_resource ? data_resource.before(self[:name]) : [] }

  # It is shown nowhere anyway.
  def set_sensitive_parameters(names)
    super(names - [:value])
  end

  # The data say what is wanted of it. Whoever only looks (`puppet resource`) has no catalogue, and no data.
  def retrieve
    return { ensure: provider.listed } unless catalog

    wanted = provider.wanted
    said = original_parameters[:ensure]&.to_sym
    raise Puppet::Error, "is to be #{said} here, and #{wanted} by the data, which decide: say `ensure: #{said}` there" unless [nil, wanted].include?(said)

    self[:ensure] = wanted
    super
  end

  def refresh
    provider.restart
  end

  def host_resource
    beside(:runit_host)
  end

  def data_resource
    beside(:runit_data)
  end

  private

  def beside(type)
    return catalog.resource(type, self[:target]) if self[:target]

    found = catalog.resources.select { |resource| resource.is_a?(Puppet::Type.type(type)) }
    found.first if found.size == 1
  end
end
