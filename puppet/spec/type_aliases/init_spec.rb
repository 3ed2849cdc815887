# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Init' do
  it { is_expected.to allow_values('systemd', 'openrc') }
  it { is_expected.not_to allow_values('launchd', '') }
end
