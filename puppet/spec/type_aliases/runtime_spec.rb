# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Runtime' do
  it { is_expected.to allow_values('shipped', 'package', 'package_file', 'none') }
  it { is_expected.not_to allow_values('runit', nil) }
end
