# frozen_string_literal: true

Puppet::Type.newtype(:runit_fragment) do
  @doc = <<-DOC
    @summary A part of a host's data that a `runit_data` takes in.

    It does nothing by itself. `runit::user`, `runit::service` and `runit::user::service` are the ways to declare one.

    @example
      runit_fragment { 'runit::service web':
        target => '/etc/runit-provision/data.json',
        keys   => ['services', 'web'],
        value  => { 'command' => ['web', '--port', '80'] },
      }
  DOC

  newparam(:name, namevar: true) do
    desc 'What error messages call it: the resource that declares it.'
  end

  newparam(:target) do
    desc 'The title of the `runit_data` that takes it in.'
  end

  newparam(:keys) do
    desc 'The keys that lead to the value.'
    validate { |value| raise ArgumentError, "has to be a list of keys, not #{value.inspect}" unless value.is_a?(Array) }
  end

  newparam(:value) do
    desc 'The value; a hash is merged with what others say of the same keys. It may hold secrets.'
    validate { |value| raise ArgumentError, "has to be a hash, not #{value.class}" unless value.is_a?(Hash) }
  end
end
