# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Log' do
  it { is_expected.to allow_values(true, false, 'svlogd', { 'size' => '1m', 'keep' => 10, 'filters' => ['-debug*'] }) }
  it { is_expected.not_to allow_values('syslog', { 'sizes' => 1 }, { 'filters' => ['debug'] }, { 'line_length' => 0 }) }
end
