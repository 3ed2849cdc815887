# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Profile' do
  it { is_expected.to allow_values(true, false, '/etc/profile.d/runit.sh') }
  it { is_expected.not_to allow_values('runit.sh') }
end
