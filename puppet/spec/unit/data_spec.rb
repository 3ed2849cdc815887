# frozen_string_literal: true

require 'spec_helper'

describe 'runit_data' do
  def checked(title, *others)
    data = Puppet::Type.type(:runit_data).new(path: '/nowhere/data.json')
    keys = title.split('/').flat_map { |name| ['services', name] }
    service = Puppet::Type.type(:runit_service).new(name: title, target: data.title, keys: keys, value: { 'command' => 'x' })
    Puppet::Resource::Catalog.new('host').tap { |catalog| [data, service, *others].each { |each| catalog.add_resource(each) } }
    data.pre_run_check
  end

  it 'takes an account for a user who has a tree of his own, also one that the catalogue is yet to make' do
    expect { checked('root/worker') }.to raise_error(Puppet::Error, %r{\ARunit_service\[root/worker\]: there is no service root })
    expect { checked('later/worker', Puppet::Type.type(:user).new(name: 'later')) }.to raise_error(Puppet::Error, /there is no service later /)
    expect { checked('cluster/worker') }.not_to raise_error
  end
end
