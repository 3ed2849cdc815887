# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Delegate' do
  it { is_expected.to allow_values({ 'user' => 'joe' }, { 'group' => 'staff' }) }
  it { is_expected.not_to allow_values({ 'users' => 'joe' }, 'joe') }
end
