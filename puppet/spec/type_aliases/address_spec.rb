# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Address' do
  it { is_expected.to allow_values('root', 'admins@example.com', 1) }
  it { is_expected.not_to allow_values('-f/etc/passwd', '', ' ', "a\nb") }
end
