# frozen_string_literal: true

require 'spec_helper'
require 'puppet_x/runit/tool'
require 'tmpdir'

describe PuppetX::Runit::Tool do
  def tool(script, file: '/nowhere/data.json', options: [])
    described_class.new(['/bin/sh', '-c', script, 'tool'], file, options)
  end

  it 'reads what the tool prints, whatever it ends with' do
    expect(tool('echo "{\\"states\\": []}"; exit 2').check).to eq('states' => [])
  end

  it 'names services, or that there are none' do
    told = tool('while test "$1"; do printf "%s " "$1"; shift; done >&2; exit 1', options: ['-x'])
    expect { told.apply(%w[a b]) }.to raise_error(described_class::Refusal, /apply --format json --data \S+ --service a --service b -x/)
    expect { told.apply(nil) }.to raise_error(described_class::Refusal, /apply --format json --data \S+ --no-services -x/)
  end

  it 'asks about data that are nowhere yet beside the file, for root alone' do
    Dir.mktmpdir do |folder|
      asked = tool(%q(stat -c '{"mode": "%a", "file": "%n", "states": [{"problems": ["%n:3:1: runit.users: no"]}]}' "$5"), file: "#{folder}/data.json").check('{}')
      expect(asked).to include('mode' => '600', 'file' => start_with("#{folder}/."), 'states' => [{ 'problems' => ['runit.users: no'] }])
      expect(Dir.children(folder)).to be_empty
    end
  end

  it 'tells what is bad of data that are nowhere yet, without a place that nobody finds' do
    Dir.mktmpdir do |folder|
      script = 'printf "%s:3:9: runit.users: no\\n%s: runit: neither\\n2 problems\\n" "$4" "$4" >&2; exit 1'
      expect(tool(script, file: "#{folder}/data.json").problems('{}')).to eq(['runit.users: no', 'runit: neither', '2 problems'])
      expect(tool('echo "warning: why" >&2', file: "#{folder}/data.json").problems('{}')).to be_empty
      expect { tool('exit 127', file: "#{folder}/data.json").problems('{}') }.to raise_error(described_class::Refusal, /Python 3.11/)
    end
  end

  it 'tells what failed without a place in a file that nobody wrote' do
    said = '/nowhere/data.json:6:7: runit.services.a: /etc/sv/a: ended at once'
    report = JSON.generate('ok' => false, 'failed' => { 'a' => [said] }, 'problems' => [said, '/etc: full'], 'services' => [], 'notes' => [])
    plain = 'runit.services.a: /etc/sv/a: ended at once'
    expect(tool("echo '#{report}'; exit 3").apply(['a'])).to include('failed' => { 'a' => [plain] }, 'problems' => [plain, '/etc: full'])
  end

  it 'says what the tool said, and nothing else, of bad data' do
    expect { tool('echo "data.json:3: no such key" >&2; exit 1').check }
      .to raise_error(described_class::Refusal, /tool check ended with 1: data.json:3: no such key\z/)
  end

  {
    'a crash' => ['echo "Traceback (most recent call last):" >&2; exit 1', /Traceback/],
    'an end by a signal' => ['kill -9 $$', /ended by signal 9/],
    'a wrong interpreter' => ['exit 127', /ended with 127/]
  }.each do |what, (script, said)|
    it "says what it needs after #{what}" do
      expect { tool(script).check }.to raise_error(described_class::Refusal, said)
      expect { tool(script).check }.to raise_error(described_class::Refusal, /Python 3.11 or later/)
    end
  end

  it 'says what it needs where there is no tool' do
    expect { described_class.new(['/nowhere/tool'], '/x').check }
      .to raise_error(described_class::Refusal, %r{/nowhere/tool cannot be run .*No such file.*Python 3.11 or later})
  end

  it 'finds no fault in a tool that answers' do
    expect(described_class.fault(['/bin/sh', '-c', 'test "$0" = --version'])).to be_nil
    expect(described_class.fault(['/bin/sh', '-c', 'exit 64'])).to be_nil # a wrapper that adds options of other commands
  end

  {
    'is not there' => ['/nowhere/tool', %r{\A/nowhere/tool cannot be run .*No such file}],
    'finds another Python' => ['echo "it needs another" >&2; exit 1', /does not work here \(it needs another\)/],
    'dies' => ['kill -9 $$', /does not work here \(.*SIGKILL/]
  }.each do |what, (script, said)|
    it "tells the fault of a tool that #{what}" do
      command = script.start_with?('/') ? [script] : ['/bin/sh', '-c', script]
      expect(described_class.fault(command)).to match(said).and match(/Python 3.11 or later/)
    end
  end

  it 'names the interpreter that is not there' do
    Dir.mktmpdir do |folder|
      File.write("#{folder}/tool", "#!/nowhere/python3\n", perm: 0o755)
      expect(described_class.fault(["#{folder}/tool"])).to include("#{folder}/tool cannot be run: its interpreter /nowhere/python3 is not there: ")
    end
  end
end
