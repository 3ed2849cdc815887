# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Absolutepath' do
  it { is_expected.to allow_values('/', '/srv/a b', '/a/..b') }
  it { is_expected.not_to allow_values('srv', '/a/../b', '/..', "/a\nb", '') }
end
