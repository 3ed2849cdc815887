# frozen_string_literal: true

require 'spec_helper'
require 'puppet_x/runit/host'

# A tool that says what a test says, and remembers what it was told.
class SaidTool
  attr_reader :asked

  def initialize(rows, calls: [], report: {})
    @rows = rows
    @calls = calls
    @report = { 'ok' => true, 'services' => [], 'failed' => {}, 'problems' => [], 'notes' => [] }.merge(report)
    @asked = []
  end

  def check(text = nil)
    @asked << [:check, text]
    { 'states' => @rows, 'services' => @calls, 'paths' => [], 'logins' => [], 'leftovers' => [], 'runtime' => nil }
  end

  def apply(services)
    @asked << [:apply, services]
    @report
  end

  def restart(services)
    @asked << [:restart, services]
    @report
  end
end

describe 'runit_service' do
  def row(name, **more)
    { 'service' => name, 'key' => "runit.services.#{name}", 'ensure' => 'running', 'gone' => false, 'made' => true, 'state' => 'up',
      'want' => 'up', 'pid' => 7, 'since' => 1_700_000_000.5, 'log' => nil, 'log_directory' => nil, 'gave_up' => false, 'drift' => false, 'reasons' => [], 'left' => nil,
      'problems' => [] }.merge(more.transform_keys(&:to_s))
  end

  def drift(name, **more)
    row(name, drift: true, reasons: ['run: content changed', 'restart: run changed'], **more)
  end

  def catalog(tool, *resources)
    Puppet::Resource::Catalog.new('host').tap do |catalog|
      data = Puppet::Type.type(:runit_data).new(path: '/nowhere/data.json', data: { 'services' => { 'a' => nil, 'b' => nil, 'c' => nil } })
      host = Puppet::Type.type(:runit_host).new(path: '/nowhere/data.json', command: ['tool'])
      allow(host).to receive(:host).and_return(PuppetX::Runit::Host.new(tool))
      [data, host, *resources].each { |resource| catalog.add_resource(resource) }
    end
  end

  def service(name, **more)
    Puppet::Type.type(:runit_service).new(name: name, **more)
  end

  # What a transaction does with a resource; gives the states before.
  def evaluate(resource)
    before = resource.retrieve.to_hash.slice(:ensure, :definition)
    changed = resource.properties.find { |property| !property.safe_insync?(before[property.name]) }
    changed&.sync
    before.transform_values(&:to_sym)
  end

  it 'asks once, and tells nothing, when all is as the data say' do
    tool = SaidTool.new([row('a'), row('b')])
    a, b = service('a'), service('b')
    catalog(tool, a, b)
    expect([a, b].map { |each| evaluate(each) }).to all(eq(ensure: :running, definition: :current))
    expect(tool.asked).to eq([[:check, nil]])
  end

  it 'tells all whose turn has come at once' do
    tool = SaidTool.new([drift('a'), row('b'), drift('c')])
    a, b, c = %w[a b c].map { |name| service(name) }
    catalog(tool, a, b, c)
    [a, b, c].each { |each| evaluate(each) }
    expect(tool.asked.last).to eq([:apply, %w[a c]])
    expect(tool.asked.size).to eq(2)
  end

  it 'lets what waits for something else wait' do
    tool = SaidTool.new([drift('a'), drift('b')])
    a, b = service('a'), service('b', require: 'Notify[first]')
    catalog(tool, a, Puppet::Type.type(:notify).new(name: 'first'), b)
    [a, b].each { |each| evaluate(each) }
    expect(tool.asked.drop(1)).to eq([[:apply, ['a']], [:apply, ['b']]])
  end

  it 'leaves alone what is noop, or has a schedule, until it is asked itself' do
    tool = SaidTool.new([drift('a'), drift('b'), drift('c')])
    a, b, c = service('a'), service('b', noop: true), service('c', schedule: 'daily')
    catalog(tool, a, b, c)
    evaluate(a)
    expect(tool.asked.last).to eq([:apply, ['a']])
  end

  it 'fails alone' do
    tool = SaidTool.new([drift('a'), drift('b')], report: { 'ok' => false, 'failed' => { 'a' => ['did not come up'] } })
    a, b = service('a'), service('b')
    catalog(tool, a, b)
    expect { evaluate(a) }.to raise_error(Puppet::Error, 'did not come up')
    expect { evaluate(b) }.not_to raise_error
  end

  it 'lets no other fail for it' do
    tool = SaidTool.new([drift('a'), row('b', problems: ['/home/b: belongs to somebody else'])])
    a, b, unknown = service('a'), service('b'), service('aa')
    catalog(tool, a, b, unknown)
    expect { evaluate(a) }.not_to raise_error
    expect { unknown.retrieve }.to raise_error(Puppet::Error, /the data know no service aa/)
  end

  it 'says what changed, and no secret' do
    a, b = service('a'), service('b')
    catalog(SaidTool.new([drift('a'), row('b', made: false, drift: true, reasons: ['run: new'], state: 'not supervised')]), a, b)
    expect([evaluate(a), evaluate(b)]).to eq([{ ensure: :running, definition: :different }, { ensure: :absent, definition: :absent }])
    expect(a.property(:definition).change_to_s(:different, :current)).to eq('run: content changed, restart: run changed')
    expect(b.property(:ensure).change_to_s(:absent, :running)).to eq('absent to running: created')
  end

  it 'says with noop what would change, also where Puppet shows nothing but the values' do
    a = service('a', noop: true)
    b = service('b', noop: true)
    catalog(SaidTool.new([drift('a'), row('b', made: false, drift: true)]), a, b)
    [a, b].each(&:retrieve)
    expect(a.property(:definition).is_to_s(:different)).to eq("'different' (run: content changed, restart: run changed)")
    expect(b.property(:ensure).is_to_s(:absent)).to eq("'absent' (created)")
  end

  it 'says a dozen of many reasons' do
    a = service('a')
    catalog(SaidTool.new([row('a', drift: true, reasons: (1..14).map { |number| "env/#{number}: new" })]), a)
    evaluate(a)
    expect(a.property(:definition).change_to_s(:different, :current)).to end_with(', env/12: new, 2 more')
  end

  it 'starts what is down' do
    a = service('a')
    catalog(SaidTool.new([drift('a', state: 'down', reasons: ['start: is down'])], calls: [{ 'service' => 'a', 'verb' => 'start' }]), a)
    expect(evaluate(a)).to include(ensure: :stopped)
  end

  it 'fails while a service has given up' do
    a = service('a')
    catalog(SaidTool.new([row('a', gave_up: true, state: 'down', want: 'down', left: 'it gave up')]), a)
    expect { evaluate(a) }.to raise_error(Puppet::Error, 'it gave up')
  end

  it 'fails while a service ends as often as it is started' do
    a = service('a')
    tool = SaidTool.new([row('a', state: 'down', want: 'up', log: 'up', log_directory: '/var/log/runit/a')])
    catalog(tool, a)
    stub_const('PuppetX::Runit::Host::PAUSE', 0)
    expect { evaluate(a) }.to raise_error(Puppet::Error, %r{ends as often as it is started; see its log in /var/log/runit/a\z})
    expect(tool.asked.map(&:first)).to eq(%i[check check])
  end

  it 'fails while a service ends as often as it is started, though it is met while it runs' do
    a, b = service('a'), service('b')
    tool = SaidTool.new([row('a', since: Time.now.to_f), row('b')])
    catalog(tool, a, b)
    stub_const('PuppetX::Runit::Host::PAUSE', 0)
    expect { evaluate(a) }.to raise_error(Puppet::Error, /ends as often as it is started/)
    expect(evaluate(b)).to include(ensure: :running)
  end

  it 'asks once where the clock was set back since a service started' do
    a = service('a')
    tool = SaidTool.new([row('a', since: Time.now.to_f + 3600)])
    catalog(tool, a)
    expect(evaluate(a)).to include(ensure: :running)
    expect(tool.asked).to eq([[:check, nil]])
  end

  it 'fails for what is wrong with the home that it is in' do
    a = service('a')
    catalog(SaidTool.new([row('a', problems: ['/home/a: belongs to somebody else'])]), a)
    expect { a.retrieve }.to raise_error(Puppet::Error, '/home/a: belongs to somebody else')
  end

  it 'stands for all instances' do
    tool = SaidTool.new([drift('a_1', key: 'runit.services.a'), row('a_2', key: 'runit.services.a')])
    a = service('a')
    catalog(tool, a)
    evaluate(a)
    a.refresh
    expect(tool.asked.drop(1)).to eq([[:apply, ['a_1']], [:restart, %w[a_1 a_2]]])
    expect(a.provider.reasons).to eq('a_1: run: content changed, restart: run changed')
  end

  it 'restarts alone, and not when it has just been started' do
    tool = SaidTool.new([row('a'), drift('b')], report: { 'services' => [{ 'service' => 'b', 'verb' => 'restart' }] })
    a, b = service('a'), service('b')
    catalog(tool, a, b)
    [a, b].each { |each| evaluate(each) }
    [a, b].each(&:refresh)
    expect(tool.asked.last).to eq([:restart, ['a']])
  end

  it 'is in the data, or nothing' do
    d = service('d')
    catalog(SaidTool.new([row('a')]), d)
    expect { d.retrieve }.to raise_error(Puppet::Error, /the data know no service d/)
  end

  it 'may be absent' do
    a = service('a')
    catalog(SaidTool.new([]), a)
    expect(evaluate(a)).to include(ensure: :absent)
  end

  it 'says nothing else than the data of what is wanted' do
    expect { service('a', ensure: 'latest') }.to raise_error(Puppet::Error, /said in the data/)
    a, b = service('a', ensure: 'running'), service('b', ensure: 'stopped')
    catalog(SaidTool.new([drift('a'), row('b')]), a, b)
    expect { evaluate(a) }.not_to raise_error
    expect { b.retrieve }.to raise_error(Puppet::Error, /is to be stopped here, and running by the data, .* `ensure: stopped` there/)
    expect { a.retrieve }.not_to raise_error
  end

  it 'is there for each service of the data that nobody declares' do
    a = service('a')
    all = catalog(SaidTool.new([]), a)
    expect(all.resource(:runit_host, '/nowhere/data.json').generate.map(&:title)).to eq(%w[b c])
  end
end
