# Puppet's own lookup, asked many times by one process.
#
# A line of JSON on standard input is a case: {"config": PATH of hiera.yaml, "facts": {...}, "node": NAME, "strict": BOOLEAN,
# "environment": PATH or null, "modulepath": [PATH], "queries": [{"key": KEY, "merge": ...}]}. A line on standard output is the
# answers, one for each query: ["found", VALUE], ["missing"] or ["error", MESSAGE], where VALUE says its type and its order.
require 'json'
require 'puppet'
require 'tmpdir'

# ruby-hocon does not load these files where it needs them first: what it answers would hang on what was asked before.
if Puppet.features.hocon?
  require 'hocon/config_factory'
  require 'hocon/impl/config_delayed_merge'
  require 'hocon/impl/config_delayed_merge_object'
end

folder = Dir.mktmpdir('oracle')
at_exit { FileUtils.remove_entry(folder) }
Puppet.initialize_settings(['--confdir', folder, '--vardir', folder, '--codedir', folder, '--logdest', 'console'])
Puppet.settings.initialize_app_defaults(Puppet::Settings.app_defaults_for_run_mode(Puppet.run_mode))
Puppet.push_context(Puppet.base_context(Puppet.settings))
Puppet::Util::Log.close_all
Puppet[:code] = 'undef'
Puppet[:disable_warnings] = %w[deprecations undefined_variables undefined_resources]

def encoded(value)
  case value
  when nil then ['null']
  when true, false then ['bool', value]
  when Integer then ['int', value.to_s]
  when Float then ['float', value.to_s]
  when String then ['str', value.encode('UTF-8', invalid: :replace, undef: :replace)]
  when Array then ['list', value.map { |item| encoded(item) }]
  when Hash then ['hash', value.map { |key, item| [encoded(key), encoded(item)] }]
  when Puppet::Pops::Types::PSensitiveType::Sensitive then ['sensitive', encoded(value.unwrap)]
  else ['other', value.class.name, value.to_s]
  end
end

def answer(query, scope)
  missing = Object.new
  invocation = Puppet::Pops::Lookup::Invocation.new(scope, {}, {}, false)
  value = Puppet::Pops::Lookup.lookup(query['key'], nil, missing, true, query['merge'], invocation)
  value.equal?(missing) ? ['missing'] : ['found', encoded(value)]
rescue SystemStackError
  ['error', 'stack level too deep']
rescue StandardError, ScriptError => e
  ['error', "#{e.class}: #{e.message}"]
end

# A compiler of its own for each query, as each run of `puppet lookup` has it: an error in lookup_options is remembered as none.
def compiled(node, query)
  result = nil
  compiler = Puppet::Parser::Compiler.new(node)
  compiler.compile do |catalog|
    result = answer(query, compiler.topscope)
    catalog
  end
  result
end

def environments(asked, environment)
  if asked['environment']
    Puppet::Environments::StaticDirectory.new(:production, asked['environment'], environment)
  else
    Puppet::Environments::Static.new(environment)
  end
end

def answers(asked)
  Puppet[:strict] = asked['strict'] ? :error : :warning
  Puppet[:hiera_config] = asked['config']
  environment = Puppet::Node::Environment.create(:production, asked['modulepath'] || [])
  Puppet.override(current_environment: environment, environments: environments(asked, environment)) do
    name = asked['node']
    facts = Puppet::Node::Facts.new(name, asked['facts'])
    facts.sanitize
    node = Puppet::Node.new(name, environment: environment, facts: facts)
    node.merge(facts.values)
    hostname, domain = name.split('.', 2)
    node.trusted_data = { 'authenticated' => 'local', 'certname' => name, 'domain' => domain, 'extensions' => {},
                          'external' => {}, 'hostname' => hostname }
    asked['queries'].map { |query| compiled(node, query) }
  end
rescue SystemStackError
  [['error', 'stack level too deep']] * asked['queries'].size
rescue StandardError, ScriptError => e
  [['error', "#{e.class}: #{e.message}"]] * asked['queries'].size
end

$stdout.sync = true
$stdin.each_line do |line|
  puts JSON.generate(answers(JSON.parse(line)), max_nesting: 0)
end
