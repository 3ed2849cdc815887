# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Probe' do
  it do
    is_expected.to allow_values(
      { 'tcp' => 'localhost:80' },
      { 'unix' => '/run/web.sock' },
      { 'command' => ['true'] },
      { 'services' => ['web'] }
    )
  end
  it { is_expected.not_to allow_values({}, { 'http' => 'ftp://localhost' }, { 'command' => 'true' }) }
end
