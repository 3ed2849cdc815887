# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Files' do
  it { is_expected.to allow_values({ 'conf/web' => 'text', 'conf.d/' => :undef }) }
  it { is_expected.not_to allow_values({ '../x' => 'text' }, { '/etc/x' => 'text' }, { 'x' => true }) }
end
