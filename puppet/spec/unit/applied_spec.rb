# frozen_string_literal: true

require 'spec_helper'
require 'puppet_x/runit/applied'

describe PuppetX::Runit::Applied do
  def told(answers, places = ['/bin/sh'])
    described_class.new(->(line) { answers[line] }, places).to_h
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
    expect(told({}, ['/nowhere/tool'])).to eq({})
    expect(told({})).to eq({})
    expect(told('/bin/sh --version' => 'runit-provision 0.1.0')).to eq('version' => '0.1.0', 'users' => {})
  end
end
