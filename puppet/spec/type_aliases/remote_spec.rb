# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Remote' do
  it { is_expected.to allow_values({ 'address' => '192.168.6.20' }, { 'address' => '192.168.6.20:514', 'only' => true }) }
  it { is_expected.not_to allow_values({ 'only' => true }, '192.168.6.20') }
end
