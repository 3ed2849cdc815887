# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Group' do
  it { is_expected.to allow_values({}, { 'gid' => 4000 }, { 'system' => true }) }
  it { is_expected.not_to allow_values('staff', { 'gid' => 0 }, { 'members' => ['joe'] }) }
end
