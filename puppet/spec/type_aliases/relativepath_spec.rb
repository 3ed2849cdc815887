# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Relativepath' do
  it { is_expected.to allow_values('conf/web.conf', '.hidden', 'a..b') }
  it { is_expected.not_to allow_values('/etc/passwd', '../x', 'a/../b', '..', '') }
end
