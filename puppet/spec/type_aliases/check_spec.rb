# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Check' do
  it do
    is_expected.to allow_values(
      "#!/bin/sh\ntrue\n",
      { 'tcp' => 80 },
      [{ 'http' => 'http://localhost/' }],
      { 'all' => [{ 'file' => 'ready' }], 'timeout' => '5s' }
    )
  end
  it { is_expected.not_to allow_values('true', { 'tpc' => 80 }, { 'tcp' => 80, 'unix' => '/s' }) }
end
