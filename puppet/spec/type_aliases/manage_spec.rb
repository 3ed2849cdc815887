# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Manage' do
  it { is_expected.to allow_values(true, false, {}, { 'uid' => 4000, 'shell' => '/bin/sh', 'home_mode' => '0750' }) }
  it { is_expected.not_to allow_values('yes', { 'uid' => 0 }, { 'shell' => 'sh' }, { 'password' => 'secret' }) }
end
