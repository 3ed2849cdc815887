# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Mail' do
  it { is_expected.to allow_values({ 'on_failure' => 'root@localhost' }, {}) }
  it { is_expected.not_to allow_values({ 'to' => 'root' }, 'root') }
end
