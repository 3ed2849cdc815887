# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Signal' do
  it { is_expected.to allow_values('hup', 'quit', '1', 1, 2) }
  it { is_expected.not_to allow_values('restart', 'SIGHUP', 3) }
end
