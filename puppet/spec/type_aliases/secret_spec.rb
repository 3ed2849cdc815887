# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Secret' do
  it { is_expected.to allow_values('text', 80, sensitive('text'), deferred, sensitive(deferred)) }
  it { is_expected.not_to allow_values(true, ['text'], nil) }
end
