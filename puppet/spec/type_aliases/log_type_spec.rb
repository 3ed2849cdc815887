# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Log::Type' do
  it { is_expected.to allow_values('svlogd', 'rsvlog', 'script', 'none') }
  it { is_expected.not_to allow_values('syslog', true) }
end
