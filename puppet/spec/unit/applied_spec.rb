# frozen_string_literal: true

require 'spec_helper'
require 'puppet_x/runit/applied'
require 'tmpdir'

describe PuppetX::Runit::Applied do
  def told(answers, tool = '/bin/sh')
    described_class.new(->(line) { answers[line] }, tool).to_h
  end

  let(:status) do
    JSON.generate([{ 'service' => 'web', 'state' => 'up' }, { 'service' => 'runsvdir-a', 'state' => 'up' }, { 'service' => 'runsvdir-b', 'state' => 'down' },
                   { 'service' => 'a/worker', 'state' => 'not supervised' }, { 'service' => 'a/cluster/node', 'state' => 'up' }])
  end

  it 'tells the version, and the services of each user' do
    expect(told('/bin/sh --version' => 'runit-provision 0.1.0', '/bin/sh status --format json' => status)).to eq(
      'version' => '0.1.0', 'users' => { 'a' => { 'worker' => 'unsupervised', 'cluster/node' => 'up' }, 'b' => {} }
    )
  end

  it 'tells nothing where there is no tool, or it does not answer' do
    expect(told({}, nil)).to eq({})
    expect(told({})).to eq({})
    expect(told('/bin/sh --version' => 'runit-provision 0.1.0')).to eq('version' => '0.1.0', 'users' => {})
  end

  it 'is called as the module calls it, or where it is found' do
    Dir.mktmpdir do |folder|
      expect(described_class.command("#{folder}/command", ['/nowhere/tool', '/bin/sh'])).to eq('/bin/sh')
      File.write("#{folder}/command", "/opt/a b/tool\n--color\nnever\n")
      expect(described_class.command("#{folder}/command")).to eq('/opt/a\ b/tool --color never')
    end
  end

  it 'knows the directory that the data name' do
    Dir.mktmpdir do |folder|
      expect(described_class.service_directory("#{folder}/data.json")).to be_nil
      File.write("#{folder}/data.json", '{"runit": {"service_directory": "/srv/service"}}')
      expect(described_class.service_directory("#{folder}/data.json")).to eq('/srv/service')
    end
  end
end
